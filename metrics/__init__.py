"""Picture quality: PSNR, RMSE and SSIM against the ground truth."""

from metrics.full_reference import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y

__all__ = ["mse_y", "pirm_rmse", "psnr_rgb", "psnr_y", "rmse_rgb", "ssim_y"]
