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

    /// - Parameter actor: where a closure is isolated; nil for one that is not.
    init?(isolation actor: (any Actor)?) {
        guard let actor else { return nil }
        self = actor === MainActor.shared ? .mainQueue : Delivery(ActorScheduler(actor))
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
    /// The fastest form. A closure that is isolated to an actor, as every closure in `main.swift` is, must not be called
    /// this way: it stops the program.
    public static var immediate: ImmediateScheduler { .shared }
}
