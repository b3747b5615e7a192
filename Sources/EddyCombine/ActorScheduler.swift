// OpenCombine's schedulers are queues and run loops. In Swift 6 the state that a closure changes is often an actor's, so an
// actor is a scheduler here too.

public import Dispatch
@preconcurrency public import OpenCombine
@preconcurrency public import OpenCombineDispatch
import Synchronization

/// Runs actions on an actor, one after another, in the order in which they were scheduled.
///
///     actor Watcher {
///         var means: [Double] = []
///         var watching: AnyCancellable?
///
///         func watch(_ session: LearningSession) {
///             watching = session.lossPublisher(scheduling: .actor(self)).map(\.mean).collect(3)
///                 .sink { self.means += $0 }
///         }
///     }
public struct ActorScheduler: Scheduler, Sendable {
    public typealias SchedulerTimeType = DispatchQueue.OCombine.SchedulerTimeType
    public typealias SchedulerOptions = Never

    private let line: ActionLine

    public init(_ actor: any Actor) { line = ActionLine(actor) }

    public var now: SchedulerTimeType { SchedulerTimeType(.now()) }
    public var minimumTolerance: SchedulerTimeType.Stride { 0 }

    public func schedule(options: Never?, _ action: @escaping () -> Void) { line.append(Unchecked(action)) }

    public func schedule(
        after date: SchedulerTimeType, tolerance: SchedulerTimeType.Stride, options: Never?,
        _ action: @escaping () -> Void
    ) {
        let (line, action) = (line, Unchecked(action))
        DispatchQueue.global().asyncAfter(deadline: date.dispatchTime) { line.append(action) }
    }

    public func schedule(
        after date: SchedulerTimeType, interval: SchedulerTimeType.Stride, tolerance: SchedulerTimeType.Stride,
        options: Never?, _ action: @escaping () -> Void
    ) -> any Cancellable {
        let (line, action) = (line, Unchecked(action))
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: date.dispatchTime, repeating: interval.timeInterval)
        timer.setEventHandler { line.append(action) }
        timer.resume()
        return AnyCancellable { timer.cancel() }
    }
}

extension Scheduler where Self == ActorScheduler {
    /// An actor, often `self`. See ``ActorScheduler``.
    public static func actor(_ actor: any Actor) -> ActorScheduler { ActorScheduler(actor) }
}

/// Actions that wait for their actor, and the task that runs them while there are any. Tasks of their own could overtake
/// each other.
private final class ActionLine: Sendable {
    private let actor: any Actor
    private let state = Mutex<(waiting: [Unchecked<() -> Void>], isRunning: Bool)>(([], false))

    init(_ actor: any Actor) { self.actor = actor }

    func append(_ action: Unchecked<() -> Void>) {
        let begins = state.withLock { state in
            state.waiting.append(action)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if begins { Task { await run(on: actor) } }
    }

    private func run(on actor: isolated any Actor) {
        while let actions = takeAll() {
            for action in actions { action.value() }
        }
    }

    private func takeAll() -> [Unchecked<() -> Void>]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isRunning = false
                return nil
            }
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
