// `Encodable` values from publishers; what a value means is said at the asynchronous sequences' operators. An array of
// such values is `Encodable` too, and is many samples: so the operators for one value a time are disfavoured.

public import Eddy
@preconcurrency public import OpenCombine

extension Publisher where Output: Encodable & Sendable {
    /// Learns each value when what it taught is asked for; delivers on the actor that
    /// calls this, else on the main queue.
    ///
    ///     readings.learned(by: session, label: \.load).sink { print($0.meanLoss ?? 0) }
    ///
    /// What a value means as a sample is said at the operator of asynchronous sequences.
    @_disfavoredOverload
    public func learned<Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Output, Label> & Sendable, from source: String? = nil,
        isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }

    /// The same with the label's name, as it is encoded.
    @_disfavoredOverload
    public func learned(
        by session: LearningSession, label: String, from source: String? = nil,
        isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }

    /// Learns each value, delivered where `scheduler` says.
    @_disfavoredOverload
    public func learned<Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Output, Label> & Sendable, from source: String? = nil,
        scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(Delivery(scheduler)) { $0.learned(by: session, label: label, from: source) }
    }

    /// The same with the label's name, as it is encoded.
    @_disfavoredOverload
    public func learned(
        by session: LearningSession, label: String, from source: String? = nil, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(Delivery(scheduler)) { $0.learned(by: session, label: label, from: source) }
    }

    /// Predicts each value when the answer is asked for; delivers on the actor that
    /// calls this, else on the main queue. Nothing is learned.
    @_disfavoredOverload
    public func predicted(
        by session: LearningSession, isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(.here(isolation)) { $0.predicted(by: session) }
    }

    /// The same, delivered where `scheduler` says.
    @_disfavoredOverload
    public func predicted(
        by session: LearningSession, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(Delivery(scheduler)) { $0.predicted(by: session) }
    }
}

extension Publisher {
    /// Learns each array of values when what they taught is asked for; delivers on the actor that
    /// calls this, else on the main queue.
    public func learned<Value: Encodable & Sendable, Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Value, Label> & Sendable, from source: String? = nil,
        isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }

    /// The same with the label's name, as it is encoded.
    public func learned<Value: Encodable & Sendable>(
        by session: LearningSession, label: String, from source: String? = nil,
        isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }

    /// Learns each array of values, delivered where `scheduler` says.
    public func learned<Value: Encodable & Sendable, Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Value, Label> & Sendable, from source: String? = nil,
        scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(Delivery(scheduler)) { $0.learned(by: session, label: label, from: source) }
    }

    /// The same with the label's name, as it is encoded.
    public func learned<Value: Encodable & Sendable>(
        by session: LearningSession, label: String, from source: String? = nil, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(Delivery(scheduler)) { $0.learned(by: session, label: label, from: source) }
    }

    /// Predicts each array's values when the answer is asked for; delivers on the actor that
    /// calls this, else on the main queue.
    public func predicted<Value: Encodable & Sendable>(
        by session: LearningSession, isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(.here(isolation)) { $0.predicted(by: session) }
    }

    /// The same, delivered where `scheduler` says.
    public func predicted<Value: Encodable & Sendable>(
        by session: LearningSession, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> where Output == [Value] {
        through(Delivery(scheduler)) { $0.predicted(by: session) }
    }
}

extension LearningSubscriber where Input: Encodable {
    /// Feeds a session with `Encodable` values, of which a property is the label.
    public convenience init<Label: Encodable & Sendable>(
        _ session: LearningSession, label: any KeyPath<Input, Label> & Sendable, from source: String? = nil,
        isolation: (any Actor)? = #isolation
    ) {
        self.init(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }

    /// The same with the label's name, as it is encoded.
    public convenience init(
        _ session: LearningSession, label: String, from source: String? = nil, isolation: (any Actor)? = #isolation
    ) {
        self.init(.here(isolation)) { $0.learned(by: session, label: label, from: source) }
    }
}
