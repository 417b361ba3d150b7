//! What resource settings mean to the kernel: which controllers they need, and which values go into which files.
