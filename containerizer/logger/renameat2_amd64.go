package logger

const sysRenameat2 = 316
