function downscale_generator_matlab(input_path, output_path, scale)
% Makes LR images with MATLAB's imresize, for example
%   downscale_generator_matlab('/tmp/DIV2K/train/HR', '/tmp/DIV2K/train/LR/x2', 2);
% GNU Octave can run it after `pkg load image`, but its imresize rounds differently.
% Images are not cropped to a multiple of the scale, so sizes are rounded up. For pictures
% of 8 bits, grey or RGB, misc/downscale_generator.py --rounding=ceil gives the same
% result without MATLAB. For other pictures the two scripts differ. The Python script
% applies the EXIF orientation, converts 16 bits to 8 and palettes to RGB, and writes grey
% as RGB. This script keeps the orientation of the file (newer versions of imread may
% rotate it), 16 bits and grey, refuses palettes, and skips WebP, which imread cannot
% read.

if ~exist(output_path, 'dir')
    mkdir(output_path);
end

endings = {'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff'};
files = dir(input_path);
for f = 1:numel(files)
    [~, name, ending] = fileparts(files(f).name);
    % Patterns such as '*.png' would miss '.PNG' on Linux.
    if files(f).isdir || files(f).name(1) == '.' || ~any(strcmpi(ending, endings))
        continue;
    end
    [hr, palette] = imread(fullfile(input_path, files(f).name));
    if ~isempty(palette)
        error('%s has a palette; save it as an RGB picture.', files(f).name);
    end
    lr = imresize(hr, 1 / scale, 'bicubic');
    imwrite(lr, fullfile(output_path, [name '.png']));
    fprintf('%s\n', files(f).name);
end
end
