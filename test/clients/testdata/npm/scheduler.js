// A framework on the Scheduler of the npm package mesos-framework: two command
// tasks with a port each, run to TASK_FINISHED; exit 0. The module is found
// through NODE_PATH.
"use strict";
const { Scheduler, Mesos } = require("mesos-framework");
const mesos = Mesos.getMesos();

const wanted = 2;
const finished = new Set();
const scheduler = new Scheduler({
    masterUrl: process.env.MASTER_HOST,
    port: process.env.MASTER_PORT,
    frameworkName: "npm-framework",
    frameworkFailoverTimeout: 1,
    logging: { path: process.env.LOG_DIR, fileName: "npm-framework.log", level: "error" },
    tasks: {
        greeter: {
            instances: wanted,
            commandInfo: new mesos.CommandInfo(null, null, true, "echo hello from npm", null, null),
            resources: { cpus: 0.1, mem: 32, ports: 1, disk: 0 },
        },
    },
});

function fail(why) {
    console.error("npm-framework:", why);
    process.exit(1);
}

scheduler.on("subscribed", (s) => console.log("subscribed", s.frameworkId, s.mesosStreamId));
scheduler.on("update", (u) => {
    const status = u.status;
    if (["TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_KILLED"].includes(status.state)) {
        fail(`${status.task_id.value} is ${status.state}: ${status.message}`);
    }
    if (status.state === "TASK_FINISHED") {
        finished.add(status.task_id.value);
        console.log("finished:", status.task_id.value);
        if (finished.size === wanted) {
            scheduler.teardown();
        }
    }
});
scheduler.on("sent_teardown", () => process.exit(0));
scheduler.on("error", (e) => {
    // The stream ends with our own teardown.
    if (finished.size < wanted) {
        fail(e.message || JSON.stringify(e));
    }
});
scheduler.on("ready", () => scheduler.subscribe());
setTimeout(() => fail(`${finished.size} of ${wanted} tasks finished in time`), 120000);
