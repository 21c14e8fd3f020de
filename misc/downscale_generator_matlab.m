function downscale_generator_matlab(input_path, output_path, scale)
% Makes LR images with MATLAB's imresize, for example
%   downscale_generator_matlab('/tmp/DIV2K/train/HR', '/tmp/DIV2K/train/LR/x2', 2);
% Images are not cut to a multiple of the scale, so that sizes are rounded up; this is
% what misc/downscale_generator.py --rounding=ceil gives without MATLAB.

if ~exist(output_path, 'dir')
    mkdir(output_path);
end

endings = {'*.png', '*.jpg', '*.jpeg', '*.bmp', '*.tif', '*.tiff'};
for e = 1:numel(endings)
    files = dir(fullfile(input_path, endings{e}));
    for f = 1:numel(files)
        hr = imread(fullfile(input_path, files(f).name));
        lr = imresize(hr, 1 / scale, 'bicubic');
        [~, name] = fileparts(files(f).name);
        imwrite(lr, fullfile(output_path, [name '.png']));
        fprintf('%s\n', files(f).name);
    end
end
end
