import concurrent.futures._base
import concurrent.futures.process
import concurrent.futures.thread

Future = concurrent.futures._base.Future
Executor = concurrent.futures._base.Executor
ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor
ProcessPoolExecutor = concurrent.futures.process.ProcessPoolExecutor
