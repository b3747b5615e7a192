// Samples that wait for their labels, by id.
//
// What a sample was is often known long after it had to be predicted: a payment turns out to be a fraud, a price to have
// risen. Its features wait here; when its label comes, the two are joined and learned like any sample, there and then.
//
// Scoring. The joined sample is predicted, scored and learned at the time of its label (prequential, with all that was
// learned meanwhile): that loss goes into the metrics, so that there is one loss a learned sample, always of the model
// as it is. What was said of it when it came is kept too, and its error (not its loss, which would take all
// probabilities) is summed apart: the error of the answers that were actually given.
//
// Bounded in samples, bytes and age; the oldest go first, and everything that goes is counted. A table of ids points
// into a list in the order of coming, so that each operation takes constant time (expiry: for each sample that expires).
//
// Pure: time is told by the caller, in seconds and in samples. Which labels find their sample decides what is learned,
// so repeatable runs want a limit in samples, or a clock that is part of the stream.

/// How far a stream is, as its host tells it. Both only grow, from 0; what goes back counts as standing still.
public struct StreamTime: Sendable, Hashable, Codable {
    public var seconds: Double
    /// Samples of the stream before this one, of any kind; by sample rather than by chunk, so that chunks do not matter.
    public var samples: UInt64

    public init(seconds: Double = 0, samples: UInt64 = 0) {
        self.seconds = seconds
        self.samples = samples
    }
}

/// What became of the samples that waited.
///
/// `held` is the sum of `joined`, `expired`, `evicted`, `replaced` and those that wait still.
public struct LateLabelCounts: Sendable, Hashable, Codable {
    /// Samples with an id and no label.
    public var held: UInt64 = 0
    /// Labels that found their sample and taught it.
    public var joined: UInt64 = 0
    /// Samples that waited too long.
    public var expired: UInt64 = 0
    /// Samples that had to go early, as there were too many or too many bytes.
    public var evicted: UInt64 = 0
    /// Samples whose id came again with other features.
    public var replaced: UInt64 = 0
    /// Labels whose id nobody waited by.
    public var unmatched: UInt64 = 0
    /// Joined samples whose first prediction could be compared with their label.
    public var compared: UInt64 = 0
    /// The sum of their errors: 1 for a wrong class, or the absolute error in the target's units.
    public var firstErrors = 0.0

    public init() {}

    /// Whether counts read from a file can be such, and go on.
    var isSound: Bool {
        [held, joined, expired, evicted, replaced, unmatched, compared].allSatisfy { $0 < 1 << 62 }
            && firstErrors.isFinite
    }

    /// The mean error of the predictions made when the samples came; nil where there are none.
    public var firstError: Double? { compared > 0 ? firstErrors / Double(compared) : nil }
}

/// How much may wait for labels, and how long.
public struct LateLabelLimits: Sendable, Hashable, Codable {
    /// The most samples; 0 lets none wait.
    public var samples: Int
    /// The most bytes, by the caller's measure of features, with their ids and 128 for each sample's place.
    public var bytes: Int
    /// The longest wait, in seconds.
    public var seconds: Double
    /// The longest wait, in samples of the stream; nil for any.
    public var age: UInt64?

    public init(samples: Int = 100_000, bytes: Int = 64 << 20, seconds: Double = 3600, age: UInt64? = nil) {
        precondition(samples >= 0 && samples <= Int(Int32.max) && bytes >= 0, "a table has a size")
        precondition(seconds >= 0, "an age is at least 0 seconds")
        self.samples = samples
        self.bytes = bytes
        self.seconds = seconds
        self.age = age
    }

    /// The longest wait, in words.
    fileprivate var wait: String {
        if seconds == .infinity, age == nil { return "" }
        let time = seconds == seconds.rounded() && seconds < 1e9 ? "\(Int(seconds)) s" : "\(seconds) s"
        return " (for at most " + (age.map { "\(time) or \($0) samples" } ?? time) + ")"
    }
}

/// A bounded table of samples that wait for their labels.
///
///     var late = LateLabels<Sample>()
///     // a sample with an id and without a label: predict it, and let it wait
///     late.hold(Sample([5.1, 3.5], id: "a7"), id: "a7", bytes: 8, at: StreamTime(seconds: 12))
///     // its label: join, then predict, score and learn as ever
///     var sample = try late.join("a7", at: StreamTime(seconds: 60)).features
///     sample.label = "setosa"
///
/// In a session, for the samples of a chunk in their order (`identifiers` has none), and for each ``LateLabel``:
///
///     let steps = learner.learn(chunk)
///     for index in 0..<chunk.count where chunk.labels[index] == .none {
///         guard let id = chunk.identifiers[index] else { continue }
///         late.hold(
///             chunk[index..<index + 1], id: id, bytes: 4 * chunk.inputs, prediction: steps.prediction(at: index),
///             at: StreamTime(seconds: clock(), samples: samplesBefore + UInt64(index)))
///     }
///
///     let joined = try late.join(label.id, line: line, at: StreamTime(seconds: clock(), samples: samplesBefore))
///     var row = joined.features
///     row.labels[0] = label.label
///     let steps = learner.learn(row)
///     late.compare(joined, steps)
public struct LateLabels<Features: Sendable>: Sendable {
    /// A sample whose label has come.
    public struct Joined: Sendable {
        public let id: String
        public let features: Features
        /// What was said of it when it came.
        public let prediction: Prediction?
        /// How long it waited.
        public let waited: StreamTime
    }

    private struct Place: Sendable {
        var id: String
        var features: Features?
        var prediction: Prediction?
        var time: StreamTime
        var bytes: Int
        var older: Int32
        var newer: Int32  // or the next free place
    }

    /// What a place takes beside its features and its id.
    static var overhead: Int { 128 }

    public let limits: LateLabelLimits
    public private(set) var counts = LateLabelCounts()
    /// Bytes that wait.
    public private(set) var bytes = 0
    /// The most that one of them has taken since none waited: no sample that waits takes more.
    private(set) var largest = 0
    private var now = StreamTime()
    private var table: [String: Int32] = [:]
    private var places: [Place] = []
    private var oldest: Int32 = -1
    private var newest: Int32 = -1
    private var free: Int32 = -1

    public init(limits: LateLabelLimits = LateLabelLimits()) { self.limits = limits }

    /// Samples that wait.
    public var count: Int { table.count }

    /// Lets a sample wait for its label. Where one waits by the same id, the newest wins.
    ///
    /// - Parameters:
    ///   - bytes: what the features take.
    ///   - prediction: what was just said of it, for ``compare(_:_:at:)``.
    /// - Returns: whether it waits now; not where it alone is more than may wait.
    @discardableResult
    public mutating func hold(
        _ features: Features, id: String, bytes: Int, prediction: Prediction? = nil, at time: StreamTime
    ) -> Bool {
        precondition(bytes >= 0, "features take at least 0 bytes")
        expire(at: time)
        counts.held += 1
        if let place = table[id] {
            counts.replaced += 1
            remove(place)
        }
        let (size, overflow) = bytes.addingReportingOverflow(id.utf8.count + Self.overhead)
        guard limits.samples > 0, !overflow, size <= limits.bytes else {
            counts.evicted += 1
            return false
        }
        while count >= limits.samples || self.bytes > limits.bytes - size {
            counts.evicted += 1
            remove(oldest)
        }
        append(
            Place(
                id: id, features: features, prediction: prediction, time: now, bytes: size, older: newest, newer: -1))
        return true
    }

    /// Takes out the sample of a label that has come.
    ///
    /// - Throws: ``SampleError`` where no sample waits by the id; that is counted.
    public mutating func join(_ id: String, line: Int = 0, at time: StreamTime) throws(SampleError) -> Joined {
        let joined = try find(id, line: line, at: time)
        take(joined)
        return joined
    }

    /// The sample of a label that has come. It waits on, in its place, until it is taken: the label may not fit.
    ///
    /// - Throws: as ``join(_:line:at:)``.
    mutating func find(_ id: String, line: Int = 0, at time: StreamTime) throws(SampleError) -> Joined {
        expire(at: time)
        guard let index = table[id] else {
            counts.unmatched += 1
            throw SampleError(
                .noWaitingSample, line: line, field: "id",
                expected: "the id of a sample that waits for its label\(limits.wait)", got: id)
        }
        let place = places[Int(index)]
        return Joined(
            id: id, features: place.features!, prediction: place.prediction,
            waited: StreamTime(
                seconds: now.seconds - place.time.seconds, samples: now.samples - place.time.samples))
    }

    /// Takes out what was found, once its label is learned.
    mutating func take(_ joined: Joined) {
        guard let index = table[joined.id] else { return }
        counts.joined += 1
        remove(index)
    }

    /// Whether a sample waits by an id.
    func holds(_ id: String) -> Bool { table[id] != nil }

    /// Whether a sample has waited too long by then.
    func hasExpired(by time: StreamTime) -> Bool { oldest >= 0 && isOld(oldest, at: later(time)) }

    /// Whether one more sample would drive out others.
    func isFull(for bytes: Int, id: String) -> Bool {
        count >= limits.samples || bytes > limits.bytes - self.bytes - id.utf8.count - Self.overhead
    }

    /// Takes out a sample that has come again with its label; counted as replaced.
    ///
    /// - Returns: whether one waited by the id.
    @discardableResult
    public mutating func withdraw(_ id: String, at time: StreamTime) -> Bool {
        expire(at: time)
        guard let place = table[id] else { return false }
        counts.replaced += 1
        remove(place)
        return true
    }

    /// Lets time pass: what has waited too long goes.
    public mutating func expire(at time: StreamTime) {
        now = later(time)
        while oldest >= 0, isOld(oldest, at: now) {
            counts.expired += 1
            remove(oldest)
        }
    }

    /// A time as it counts here: it never goes back.
    private func later(_ time: StreamTime) -> StreamTime {
        StreamTime(seconds: max(now.seconds, time.seconds), samples: max(now.samples, time.samples))
    }

    private func isOld(_ index: Int32, at now: StreamTime) -> Bool {
        let time = places[Int(index)].time
        return limits.age.map { now.samples - time.samples > $0 } ?? false
            || now.seconds - time.seconds > limits.seconds
    }

    /// Keeps what was said of a sample when it came, where it waits still.
    mutating func note(_ prediction: Prediction?, of id: String) {
        if let place = table[id] { places[Int(place)].prediction = prediction }
    }

    /// Counts how wrong the first prediction of a joined sample was, once the sample was learned.
    ///
    /// - Parameter steps: what came of learning it, at `index`; nothing is counted where it was rejected.
    public mutating func compare(_ joined: Joined, _ steps: StepChunk, at index: Int = 0) {
        // Of classes that turned into values among these steps, the sample's own kind.
        let classes = steps.task(at: index) == .classification ? steps.classes : []
        guard let error = joined.prediction?.error(target: steps.targets[index], classes: classes) else { return }
        counts.compared += 1
        counts.firstErrors += error
    }

    // MARK: The list in the order of coming

    private mutating func append(_ place: Place) {
        let index: Int32
        if free >= 0 {
            index = free
            free = places[Int(index)].newer
            places[Int(index)] = place
        } else {
            index = Int32(places.count)
            places.append(place)
        }
        if newest >= 0 { places[Int(newest)].newer = index } else { oldest = index }
        newest = index
        bytes += place.bytes
        largest = max(largest, place.bytes)
        table[place.id] = index
    }

    @discardableResult
    private mutating func remove(_ index: Int32) -> Place {
        let place = places[Int(index)]
        if place.older >= 0 { places[Int(place.older)].newer = place.newer } else { oldest = place.newer }
        if place.newer >= 0 { places[Int(place.newer)].older = place.older } else { newest = place.older }
        table[place.id] = nil
        bytes -= place.bytes
        if table.isEmpty { largest = 0 }
        places[Int(index)] = Place(
            id: "", features: nil, prediction: nil, time: place.time, bytes: 0, older: -1, newer: free)
        free = index
        return place
    }
}

// MARK: Coding

extension LateLabels: Codable where Features: Codable {
    /// A sample that waits; the oldest first.
    private struct Record: Codable {
        var id: String
        var features: Features
        var value: Float?
        var className: String?
        var probability: Float?
        var time: StreamTime
        var bytes: Int
    }

    private enum CodingKeys: CodingKey { case limits, counts, now, waiting }

    /// - Throws: `DecodingError` where more waits than may, or the same twice, or in another order.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let limits = try container.decode(LateLabelLimits.self, forKey: .limits)
        let counts = try container.decode(LateLabelCounts.self, forKey: .counts)
        guard (0...Int(Int32.max)).contains(limits.samples), limits.bytes >= 0, limits.seconds >= 0, counts.isSound
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .limits, in: container, debugDescription: "limits or counts that cannot be")
        }
        self.init(limits: limits)
        self.counts = counts
        var last = StreamTime()
        for record in try container.decode([Record].self, forKey: .waiting) {
            guard table[record.id] == nil, record.bytes >= 0, record.bytes <= limits.bytes - bytes,
                count < limits.samples, record.time.seconds >= last.seconds, record.time.samples >= last.samples
            else {
                throw DecodingError.dataCorruptedError(
                    forKey: .waiting, in: container, debugDescription: "samples that could not have waited so")
            }
            last = record.time
            let prediction =
                record.value.map { Prediction.value($0) }
                ?? record.className.map { Prediction.class($0, probability: record.probability ?? .nan) }
            append(
                Place(
                    id: record.id, features: record.features, prediction: prediction, time: record.time,
                    bytes: record.bytes, older: newest, newer: -1))
        }
        now = try container.decode(StreamTime.self, forKey: .now)
        guard now.seconds >= last.seconds, now.samples >= last.samples else {
            throw DecodingError.dataCorruptedError(
                forKey: .now, in: container, debugDescription: "a sample that waits since later")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(limits, forKey: .limits)
        try container.encode(counts, forKey: .counts)
        try container.encode(now, forKey: .now)
        var waiting = container.nestedUnkeyedContainer(forKey: .waiting)
        var next = oldest
        while next >= 0 {
            let place = places[Int(next)]
            var record = Record(
                id: place.id, features: place.features!, time: place.time, bytes: place.bytes)
            switch place.prediction {
            case .value(let value): record.value = value
            case .class(let name, let probability): (record.className, record.probability) = (name, probability)
            case nil: break
            }
            try waiting.encode(record)
            next = place.newer
        }
    }
}
