// Package projquota holds directories to an amount of disk by the project quotas
// of their file system: what would write more gets EDQUOT.
//
// Which ids are taken is known to the file system alone: nothing has to be
// recovered, and an id whose directory is gone is free again.
//
// Source: quotactl_fd(2), ioctl_fsgetxattr(2); Linux fs/quota, fs/ext4, fs/xfs.
package projquota
