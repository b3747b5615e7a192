// What a session tells, as publishers: on the main queue (`sink` in an actor: on the actor), or where `scheduling:` says.
//
// A subscriber that has no time is never waited for: what comes meanwhile is merged into its next element.

public import Eddy
@preconcurrency public import OpenCombine

extension LearningSession {
    /// Windows of losses, delivered on the main queue. See ``Eddy/LearningSession/losses``.
    ///
    ///     let session = try LearningSession()
    ///     let watching = session.lossPublisher.sink { print($0.step, $0.mean) }
    ///     for try await _ in samples.chunks(ofCount: 50).learned(by: session) {}
    public nonisolated var lossPublisher: SequencePublisher<LossWindow, Never> { SequencePublisher(losses) }

    /// Windows of losses, delivered where `scheduler` says.
    ///
    ///     session.lossPublisher(scheduling: DispatchQueue(label: "losses"))
    ///     session.lossPublisher(scheduling: .actor(self))
    ///     session.lossPublisher(scheduling: .immediate)
    public nonisolated func lossPublisher(scheduling scheduler: some Scheduler) -> SequencePublisher<LossWindow, Never>
    {
        SequencePublisher(losses, scheduling: scheduler)
    }

    /// Every sample's loss, delivered on the main queue. See ``Eddy/LearningSession/everyLoss``.
    public nonisolated var everyLossPublisher: SequencePublisher<LossSeries, Never> { SequencePublisher(everyLoss) }

    /// Every sample's loss, delivered where `scheduler` says.
    public nonisolated func everyLossPublisher(
        scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LossSeries, Never> {
        SequencePublisher(everyLoss, scheduling: scheduler)
    }

    /// Weights, norms and metrics, delivered on the main queue. Each is copied when there is demand for it.
    public nonisolated var snapshotPublisher: SequencePublisher<Snapshot, Never> { SequencePublisher(snapshots) }

    /// Weights, norms and metrics, delivered where `scheduler` says.
    public nonisolated func snapshotPublisher(
        scheduling scheduler: some Scheduler
    ) -> SequencePublisher<Snapshot, Never> {
        SequencePublisher(snapshots, scheduling: scheduler)
    }

    /// Changes found in the stream, delivered on the main queue. See ``Eddy/LearningSession/drifts``.
    public nonisolated var driftPublisher: SequencePublisher<DriftSeries, Never> { SequencePublisher(drifts) }

    /// Changes found in the stream, delivered where `scheduler` says.
    public nonisolated func driftPublisher(scheduling scheduler: some Scheduler) -> SequencePublisher<
        DriftSeries, Never
    > {
        SequencePublisher(drifts, scheduling: scheduler)
    }
}
