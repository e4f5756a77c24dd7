"""Work that is done again and again beside a load."""

import threading

from tools import Failure


class Repeated:
    """Does some work, with a pause before each time, until the block ends; what failed is raised then, with the name of
    the work.
    """

    def __init__(self, name, pause_seconds, work):
        self.count = 0
        self._name, self._pause_seconds, self._work = name, pause_seconds, work
        self._failure = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        if self._failure is not None:
            raise Failure(f"{self._name} failed: {self._failure}")

    def _run(self):
        try:
            while not self._is_over.wait(self._pause_seconds):
                self._work()
                self.count += 1
        except (Failure, OSError) as failure:
            self._failure = failure
