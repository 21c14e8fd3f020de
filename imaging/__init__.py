"""Images as arrays: reading and writing, MATLAB's imresize, colour."""
