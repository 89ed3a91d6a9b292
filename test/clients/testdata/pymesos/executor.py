"""An executor on pymesos: says what it was given, and that it is done."""
import time
from threading import Thread

from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class Echo(Executor):
    def launchTask(self, driver, task):
        def run():
            driver.sendStatusUpdate({"task_id": task["task_id"], "state": "TASK_RUNNING", "timestamp": time.time()})
            driver.sendFrameworkMessage(encode_data(decode_data(task["data"])))
            driver.sendStatusUpdate({"task_id": task["task_id"], "state": "TASK_FINISHED", "timestamp": time.time()})

        Thread(target=run).start()


if __name__ == "__main__":
    MesosExecutorDriver(Echo()).run()
