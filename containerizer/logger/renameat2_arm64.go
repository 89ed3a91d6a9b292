package logger

const sysRenameat2 = 276
