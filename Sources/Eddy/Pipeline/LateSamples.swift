// Late labels in their place among the samples: each becomes the sample that it belongs to, before the chunk is learned.
//
// A chunk then goes through the learner in one call, as if these samples had come whole just there, and replies, counts
// and observations need to know nothing of late labels. Ids are held and joined in the order of the lines, also within
// a chunk, so that chunks do not matter. What was said of a sample when it came is filled in afterwards.
//
// Deliberately not here: the table, its bounds and its counts (LateLabels.swift).

/// What lies between a decoder and a learner: samples wait here for their labels.
///
///     late.join(&chunk, seconds: 0)
///     let steps = learner.learn(chunk.samples)
///     late.settle(steps)
package struct LateSamples: Sendable {
    private var table: LateLabels<WaitingSample>
    /// Samples of the stream so far.
    private var samples: UInt64 = 0
    /// Where in the chunk the samples came that wait since then.
    private var held: [String: Int] = [:]
    /// The chunk's joined samples: their places, and where they came if that was in the same chunk.
    private var joined: [(sample: LateLabels<WaitingSample>.Joined, place: Int, origin: Int?)] = []

    package init(limits: LateLabelLimits = LateLabelLimits()) { table = LateLabels(limits: limits) }

    package var counts: LateLabelCounts { table.counts }
    /// Samples that wait.
    package var waiting: Int { table.count }

    /// Lets time pass.
    mutating func expire(seconds: Double) { table.expire(at: StreamTime(seconds: seconds, samples: samples)) }

    /// Puts the samples of late labels in the labels' places, or errors where none waits by the id; what has an id and
    /// no label waits from now on.
    ///
    /// - Parameter seconds: the time, asked for where an id comes; 0 where only samples count.
    package mutating func join(_ chunk: inout DecodedChunk, seconds: @autoclosure () -> Double) {
        let before = samples
        samples += UInt64(chunk.samples.count)
        let hasLabels = chunk.events.contains { if case .lateLabel = $0.kind { true } else { false } }
        guard hasLabels || !chunk.samples.identifiers.isEmpty else { return }
        let now = seconds()
        var identified = chunk.samples.identifiers.sorted { $0.key < $1.key }[...]
        var rows = chunk.samples  // without what would be looked through for each slice
        rows.identifiers = [:]
        rows.terms.names = [:]
        var output = DecodedChunk(samples: SampleChunk(inputs: rows.inputs))
        var next = 0

        /// Moves samples up to `end`.
        func advance(to end: Int) {
            let shift = output.samples.count - next
            while let (index, id) = identified.first, index < end {
                identified.removeFirst()
                let time = StreamTime(seconds: now, samples: before + UInt64(index))
                output.samples.identifiers[index + shift] = id
                if !rows.isLabelled(index) {
                    let sample = WaitingSample(rows[index..<index + 1], chunk.samples.terms.names)
                    let waits = table.hold(sample, id: id, bytes: sample.bytes, at: time)
                    held[id] = waits ? index + shift : nil
                } else {
                    table.withdraw(id, at: time)
                }
            }
            guard hasLabels, next < end else { return }
            output.samples.append(contentsOf: rows[next..<end])
            if !chunk.lines.isEmpty { output.lines += chunk.lines[next..<end] }
            next = end
        }

        for event in chunk.events {
            advance(to: event.index)
            var kind = event.kind
            if case .lateLabel(let label) = kind {
                let time = StreamTime(seconds: now, samples: before + UInt64(event.index))
                do throws(SampleError) {
                    try put(label, line: event.line, at: time, into: &output, isAlone: rows.isEmpty)
                    continue
                } catch {
                    kind = .rejected(error)
                }
            }
            output.events.append(DecodedEvent(index: output.samples.count, line: event.line, kind: kind))
        }
        advance(to: rows.count)
        guard hasLabels else { return }
        output.samples.terms.names.merge(chunk.samples.terms.names) { $1 }
        chunk = output
    }

    /// Appends the sample of a label.
    ///
    /// - Parameter isAlone: no sample of the chunk's own says how many features there are.
    private mutating func put(
        _ label: LateLabel, line: Int, at time: StreamTime, into chunk: inout DecodedChunk, isAlone: Bool
    ) throws(SampleError) {
        let sample = try table.join(label.id, line: line, at: time)
        var row = sample.features.row
        row.labels[0] = label.label
        row.furtherLabels = label.furtherLabels.map { [$0] }
        if isAlone, chunk.samples.isEmpty { chunk.samples = SampleChunk(inputs: row.inputs) }
        guard row.inputs == chunk.samples.inputs else {
            throw SampleError(
                line: line, field: "id", expected: "the id of a sample with \(chunk.samples.inputs) features",
                got: "\(label.id), with \(row.inputs)")
        }
        let place = chunk.samples.count
        joined.append((sample, place, held.removeValue(forKey: label.id)))
        chunk.samples.append(contentsOf: row)
        chunk.samples.identifiers[place] = label.id
        chunk.lines.append(line)
    }

    /// Takes note of what came of the chunk that was joined last.
    package mutating func settle(_ steps: StepChunk) {
        guard !joined.isEmpty || !held.isEmpty else { return }
        for (sample, place, origin) in joined {
            table.compare(
                LateLabels.Joined(
                    id: sample.id, features: sample.features,
                    prediction: origin.map { steps.prediction(at: $0) } ?? sample.prediction, waited: sample.waited),
                steps, at: place)
        }
        for (id, place) in held { table.note(steps.prediction(at: place), of: id) }
        joined = []
        held = [:]
    }
}

// MARK: - In the model file

extension LateSamples: Codable {
    private enum CodingKeys: CodingKey { case table, samples }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        table = try container.decode(LateLabels<WaitingSample>.self, forKey: .table)
        samples = try container.decode(UInt64.self, forKey: .samples)
        guard samples < 1 << 62 else {
            throw DecodingError.dataCorruptedError(
                forKey: .samples, in: container, debugDescription: "more samples than can be")
        }
    }

    /// Between two chunks: what was joined last has been settled.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(table, forKey: .table)
        try container.encode(samples, forKey: .samples)
    }

    /// Whether there is anything to be remembered.
    var isUsed: Bool { counts.held > 0 || counts.unmatched > 0 }
}

extension SampleChunk {
    /// Appends samples with as many inputs, without their ids.
    fileprivate mutating func append(contentsOf other: SampleChunk) {
        let before = count
        features += other.features
        if !weights.isEmpty || !other.weights.isEmpty {
            if weights.isEmpty { weights = Array(repeating: 1, count: before) }
            weights += other.weights.isEmpty ? Array(repeating: 1, count: other.count) : other.weights
        }
        let terms = self.terms.keys.count
        if self.terms.ends.isEmpty, !other.terms.isEmpty { self.terms.ends = Array(repeating: 0, count: before) }
        self.terms.keys += other.terms.keys
        self.terms.values += other.terms.values
        if !other.terms.isEmpty {
            self.terms.ends += other.terms.ends.map { terms + $0 }
        } else if terms > 0 {
            self.terms.ends += repeatElement(terms, count: other.count)
        }
        self.terms.names.merge(other.terms.names) { $1 }
        for label in other.labels { labels.append(label) }
        guard outputs > 1 || other.outputs > 1 else { return }
        for output in furtherLabels.indices {
            for index in 0..<other.count { furtherLabels[output].append(other.label(index, ofOutput: output + 1)) }
        }
        while outputs < other.outputs {
            furtherLabels.append(
                Labels(Array(repeating: .none, count: before) + Array(other.furtherLabels[outputs - 1])))
        }
    }
}
