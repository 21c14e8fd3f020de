function downscale_generator_matlab(input_path, output_path, scale)
% Makes LR images with MATLAB's imresize, for example
%   downscale_generator_matlab('/tmp/DIV2K/train/HR', '/tmp/DIV2K/train/LR/x2', 2);
% GNU Octave runs it, too, after `pkg load image`, but its imresize rounds otherwise.
% Images are not cut to a multiple of the scale, so that sizes are rounded up. For
% pictures of 8 bits, grey or RGB, this is what misc/downscale_generator.py
% --rounding=ceil gives without MATLAB. That one also turns photographs as their EXIF
% orientation says, brings 16 bits to 8 and palettes to RGB, and writes grey as RGB;
% here a photograph stays as the file stores it (but newer versions of imread may turn
% it), 16 bits stay 16, grey stays grey, and a picture with a palette is refused. WebP,
% which imread does not know, is passed over.

if ~exist(output_path, 'dir')
    mkdir(output_path);
end

endings = {'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff'};
files = dir(input_path);
for f = 1:numel(files)
    [~, name, ending] = fileparts(files(f).name);
    % Not by patterns such as '*.png', which on Linux do not find '.PNG'.
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
