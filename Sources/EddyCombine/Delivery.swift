// Where a publisher calls its subscriber: on a scheduler of OpenCombine's, or on an actor.

import Dispatch
@preconcurrency import OpenCombine
@preconcurrency import OpenCombineDispatch

/// Runs what a publisher has for its subscriber, one piece after another.
struct Delivery: Sendable {
    let perform: @Sendable (@escaping @Sendable () -> Void) -> Void

    /// The main queue, which is also the main actor's.
    static let mainQueue = Delivery { DispatchQueue.main.async(execute: $0) }

    private init(perform: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) { self.perform = perform }

    init(_ scheduler: some Scheduler) {
        let schedule = Unchecked { (action: @escaping () -> Void) in scheduler.schedule(action) }
        perform = { action in schedule.value(action) }
    }

    /// The actor that a caller is isolated to, else the main queue.
    static func here(_ isolation: (any Actor)?) -> Delivery {
        guard let isolation, isolation !== MainActor.shared else { return .mainQueue }
        return Delivery(ActorScheduler(isolation))
    }
}

/// OpenCombine's types are not marked `Sendable`. Each value in here is used by one call at a time.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}

extension Scheduler where Self == ImmediateScheduler {
    /// At once, on the thread that has the element: a pool thread for what a session publishes.
    ///
    ///     session.lossPublisher(scheduling: .immediate)
    ///
    /// The fastest form. A closure that is isolated to an actor, as those in `main.swift` are unless they are marked
    /// `@Sendable`, must not be called this way: it stops the program.
    public static var immediate: ImmediateScheduler { .shared }
}
