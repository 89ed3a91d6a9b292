// Package kfile parses the text files in which the kernel reports counters:
// cgroup v2 flat-keyed and single-value files, PSI. Pure; nothing allocates
// unless the input is wrong, because an agent reads these files for every
// container at every sample. What does not parse is errs.Corrupt.
package kfile
