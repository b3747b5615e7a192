// Where sessions run that were not given an executor: a serial queue each would do as well as
// the default actor, but an actor that may name an executor must always name one.

import Dispatch

/// A serial executor on a dispatch queue.
final class SessionExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "eddy.session")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}
