// Tasks on an event loop, so that a sample is answered, and a subscriber served, without a hop between threads.
//
// A job is never run inside `enqueue`, not even on the loop's own thread: a cancellation resumes its task while the
// runtime holds that task's lock, and a task that ran to its end there would free the lock that is held.

import NIOCore

/// Runs tasks on an event loop.
final class EventLoopTaskExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
