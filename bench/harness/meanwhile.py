"""Conversations with the database that go on while a `with` block runs."""

import threading


class Meanwhile:
    """Each of `conversations` is a function and its arguments, run on a thread of its own until `stopped` is set. What
    fails is raised when the block ends, unless the block failed itself."""

    def __init__(self, conversations):
        self.failure = None
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=run, args=arguments) for run, *arguments in conversations]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        if self.failure and not error:
            raise self.failure

    def _talk(self, conversation, turn, first=None):
        """Turn after turn until the block ends; a `first` question costs what connecting does."""
        try:
            if first:
                conversation.ask(first)
            while not self.stopped.is_set():
                turn(conversation)
        except Exception as error:
            self.failure = error
        finally:
            conversation.close()
