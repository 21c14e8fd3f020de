"""Images as arrays: reading, writing, MATLAB's imresize and colour."""
