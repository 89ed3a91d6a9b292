"""A scheduler on pymesos: two tasks of an executor of its own, to their end."""
import os
import sys

from pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data

WANT = 2


class Both(Scheduler):
    def __init__(self, executor):
        self.executor, self.launched, self.finished, self.heard = executor, 0, 0, 0

    def registered(self, driver, framework_id, master_info):
        print("registered", framework_id["value"])

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = []
            while self.launched < WANT:
                self.launched += 1
                tasks.append({
                    "task_id": {"value": "t%d" % self.launched}, "agent_id": offer["agent_id"], "name": "pymesos",
                    "executor": self.executor, "data": encode_data(b"hello %d" % self.launched),
                    "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}],
                })
            driver.launchTasks(offer["id"], tasks, {"refuse_seconds": 0})

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        print("message", decode_data(message).decode())
        self.heard += 1
        self.stop_when_done(driver)

    def statusUpdate(self, driver, update):
        print(update["task_id"]["value"], update["state"], update.get("message", ""))
        if update["state"] == "TASK_FINISHED":
            self.finished += 1
            self.stop_when_done(driver)
        elif update["state"] not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"):
            driver.abort()

    def stop_when_done(self, driver):
        if self.finished == WANT and self.heard == WANT:
            driver.stop()

    def error(self, driver, message):
        print("error", message)
        driver.abort()


def resource(name, amount):
    return {"name": name, "type": "SCALAR", "scalar": {"value": amount}}


def main(master, path):
    executor = {
        "executor_id": {"value": "pymesos"}, "name": "pymesos",
        "command": {"value": "exec %s %s" % (sys.executable, path), "environment": {"variables": [
            {"name": "PYTHONPATH", "value": os.environ.get("PYTHONPATH", "")}]}},
        "resources": [resource("cpus", 0.1), resource("mem", 64)],
    }
    scheduler = Both(executor)
    MesosSchedulerDriver(scheduler, {"user": "root", "name": "pymesos", "hostname": "localhost"}, master).run()
    print("finished", scheduler.finished)
    return 0 if scheduler.finished == WANT else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
