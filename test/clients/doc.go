// Package clients runs programs that nobody here wrote against the built binary,
// unmodified: schedulers on the mesos-go library and on npm's mesos-framework,
// and telegraf's mesos input. Each asserts an outcome. What a program needs is
// fetched by its package name; where it can't be had the test says so and skips,
// or fails when MEZZO_TEST_REQUIRED is set.
package clients
