// Late labels in their place among the samples: each becomes the sample that it belongs to, before the chunk is learned.
//
// A chunk then goes through the learner as if these samples had come whole just there, and replies, counts and
// observations need to know nothing of late labels. Ids are held and joined in the order of the lines, also within a
// chunk. What was said of a sample when it came is filled in afterwards.
//
// Whether a label fits, the learner finds out; until one does, the sample waits on in its place. So what comes after a
// label may depend on what became of it: the same id again, or a table so full that a place more or less decides who
// goes. The chunk is cut there, and goes through in pieces, so that chunks do not matter. (It is rare: most go whole.)
//
// Deliberately not here: the table, its bounds and its counts (LateLabels.swift).

/// What lies between a decoder and a learner: samples wait here for their labels.
///
///     var rest = late.begin(chunk)
///     while let piece = late.next(of: &rest, seconds: 0) {
///         var steps = learner.learn(piece.samples)
///         late.settle(&steps)
///     }
package struct LateSamples: Sendable {
    private var table: LateLabels<WaitingSample>
    /// Samples of the stream so far.
    private var samples: UInt64 = 0
    /// Where in the piece the samples came that wait since then.
    private var held: [String: Int] = [:]
    /// All places in the piece of samples that began to wait, in order.
    private var heldPlaces: [Int] = []
    /// What of the piece goes from the table once it is learned, in order.
    private var asked: [Asked] = []
    private var askedIds: Set<String> = []

    /// A sample that waits, and a place in the piece that decides whether it waits on.
    private struct Asked {
        var id: String
        var place: Int
        /// The sample whose label came; nil where the sample came again, with its label.
        var joined: LateLabels<WaitingSample>.Joined?
        /// Where the sample came, if that was in the same piece.
        var origin: Int?
    }

    package init(limits: LateLabelLimits = LateLabelLimits()) { table = LateLabels(limits: limits) }

    package var counts: LateLabelCounts { table.counts }
    /// Samples that wait.
    package var waiting: Int { table.count }
    /// No sample that waits has more features and terms.
    var longest: Int { max(1, (table.largest - LateLabels<WaitingSample>.overhead) / MemoryLayout<Float>.size) }

    /// Lets time pass.
    mutating func expire(seconds: Double) { table.expire(at: StreamTime(seconds: seconds, samples: samples)) }

    // MARK: Before learning

    /// A chunk on its way through, piece by piece.
    package struct Rest: Sendable {
        fileprivate let chunk: DecodedChunk
        /// The chunk's samples without what would be looked through for each slice of them.
        fileprivate let rows: SampleChunk
        fileprivate let hasLabels: Bool
        /// Samples of the stream before the chunk.
        fileprivate let before: UInt64
        /// Features a sample, also where no sample of the chunk's own says so.
        fileprivate var inputs: Int
        fileprivate var identified: ArraySlice<(key: Int, value: String)>
        fileprivate var nextSample = 0
        fileprivate var nextEvent = 0
        fileprivate var isDone = false

        fileprivate init(_ chunk: DecodedChunk, before: UInt64) {
            self.chunk = chunk
            self.before = before
            hasLabels = chunk.events.contains { if case .lateLabel = $0.kind { true } else { false } }
            identified = chunk.samples.identifiers.sorted { $0.key < $1.key }[...]
            var rows = chunk.samples
            if hasLabels || !identified.isEmpty { (rows.identifiers, rows.terms.names) = ([:], [:]) }
            self.rows = rows
            inputs = rows.inputs
        }

        fileprivate func time(_ index: Int, _ seconds: Double) -> StreamTime {
            StreamTime(seconds: seconds, samples: before + UInt64(index))
        }
    }

    /// Takes up a chunk; its pieces are asked for by ``next(of:seconds:)``, each after the one before is settled.
    package mutating func begin(_ chunk: DecodedChunk) -> Rest {
        defer { samples += UInt64(chunk.samples.count) }
        return Rest(chunk, before: samples)
    }

    /// The next piece, mostly the whole chunk, with the samples of late labels in the labels' places, or errors where none
    /// waits by the id; what has an id and no label waits from now on. Nil after the last; there is always one.
    ///
    /// - Parameter seconds: the time, asked for where an id comes; 0 where only samples count.
    package mutating func next(of rest: inout Rest, seconds: @autoclosure () -> Double) -> DecodedChunk? {
        guard !rest.isDone else { return nil }
        guard rest.hasLabels || !rest.identified.isEmpty || rest.nextSample > 0 else {
            rest.isDone = true
            return rest.chunk
        }
        let now = seconds()
        var piece = DecodedChunk(samples: SampleChunk(inputs: rest.inputs))
        piece.samples.terms.names = rest.chunk.samples.terms.names
        while rest.nextEvent < rest.chunk.events.count {
            let event = rest.chunk.events[rest.nextEvent]
            guard advance(to: event.index, of: &rest, now, &piece) else { return piece }
            var kind = event.kind
            if case .lateLabel(let label) = kind {
                let time = rest.time(event.index, now)
                if mustSettle(label.id, at: time) { return piece }
                do throws(SampleError) {
                    try put(label, line: event.line, at: time, &rest, into: &piece)
                    rest.nextEvent += 1
                    continue
                } catch {
                    kind = .rejected(error)
                }
            }
            rest.nextEvent += 1
            let place = piece.samples.count + event.index - rest.nextSample
            piece.events.append(DecodedEvent(index: place, line: event.line, kind: kind))
        }
        let isWhole = rest.nextSample == 0 && !rest.hasLabels
        guard advance(to: rest.rows.count, of: &rest, now, &piece) else { return piece }
        rest.isDone = true
        return isWhole ? rest.chunk : piece
    }

    /// Moves the samples before `end` into the piece; false where one of them belongs to the next.
    private mutating func advance(
        to end: Int, of rest: inout Rest, _ now: Double, _ piece: inout DecodedChunk
    ) -> Bool {
        let shift = piece.samples.count - rest.nextSample
        var end = end
        var isCut = false
        while let (index, id) = rest.identified.first, index < end {
            guard take(rest, index, id, place: index + shift, at: rest.time(index, now)) else {
                (end, isCut) = (index, true)
                break
            }
            piece.samples.identifiers[index + shift] = id
            rest.identified.removeFirst()
        }
        if rest.nextSample < end, rest.hasLabels || isCut || rest.nextSample > 0 {
            piece.samples.append(contentsOf: rest.rows[rest.nextSample..<end])
            if !rest.chunk.lines.isEmpty { piece.lines += rest.chunk.lines[rest.nextSample..<end] }
            rest.nextSample = end
        }
        return !isCut
    }

    /// Lets a sample with an id wait, or asks for the one that waits by its id; false where that has to be settled first.
    private mutating func take(_ rest: Rest, _ index: Int, _ id: String, place: Int, at time: StreamTime) -> Bool {
        if rest.rows.isLabelled(index) {
            guard table.holds(id) else { return true }
            if mustSettle(id, at: time) { return false }
            table.expire(at: time)
            if table.holds(id) { ask(Asked(id: id, place: place, joined: nil, origin: nil)) }
            return true
        }
        let sample = WaitingSample(rest.rows[index..<index + 1], rest.chunk.samples.terms.names)
        if mustSettle(id, at: time) || !asked.isEmpty && table.isFull(for: sample.bytes, id: id) { return false }
        let waits = table.hold(sample, id: id, bytes: sample.bytes, at: time)
        held[id] = waits ? place : nil
        if waits { heldPlaces.append(place) }
        return true
    }

    private mutating func ask(_ question: Asked) {
        asked.append(question)
        askedIds.insert(question.id)
    }

    /// Whether what comes now, with an id, depends on what becomes of the piece so far.
    private func mustSettle(_ id: String, at time: StreamTime) -> Bool {
        !asked.isEmpty && (askedIds.contains(id) || table.hasExpired(by: time))
    }

    /// Appends the sample of a label.
    private mutating func put(
        _ label: LateLabel, line: Int, at time: StreamTime, _ rest: inout Rest, into piece: inout DecodedChunk
    ) throws(SampleError) {
        let sample = try table.find(label.id, line: line, at: time)
        var row = sample.features.row
        row.labels[0] = label.label
        row.furtherLabels = label.furtherLabels.map { [$0] }
        if rest.rows.isEmpty, piece.samples.isEmpty {
            rest.inputs = row.inputs
            piece.samples.restart(inputs: row.inputs)
        }
        guard row.inputs == piece.samples.inputs else {
            throw SampleError(
                line: line, field: "id", expected: "the id of a sample with \(piece.samples.inputs) features",
                got: "\(label.id), with \(row.inputs)")
        }
        let place = piece.samples.count
        ask(Asked(id: label.id, place: place, joined: sample, origin: held.removeValue(forKey: label.id)))
        piece.samples.append(contentsOf: row)
        piece.samples.identifiers[place] = label.id
        piece.lines.append(line)
    }

    // MARK: After learning

    /// Takes note of what came of the newest piece: a sample whose label does not fit waits on, and its error says so;
    /// one of which nothing can be said yet, as there was no label before it, waits and is no error.
    package mutating func settle(_ steps: inout StepChunk) {
        guard !asked.isEmpty || !heldPlaces.isEmpty else { return }
        steps.accept(heldPlaces)
        let rejected = Set(steps.rejections.map(\.index))
        for question in asked {
            let said = question.origin.map { steps.prediction(at: $0) }
            guard !rejected.contains(question.place) else {
                if let said { table.note(said, of: question.id) }
                if question.joined != nil { steps.sayThatSampleWaits(question.place) }
                continue
            }
            guard let sample = question.joined else {
                table.withdraw(question.id, at: StreamTime())
                continue
            }
            table.take(sample)
            table.compare(
                LateLabels.Joined(
                    id: sample.id, features: sample.features, prediction: said ?? sample.prediction,
                    waited: sample.waited),
                steps, at: question.place)
        }
        for (id, place) in held { table.note(steps.prediction(at: place), of: id) }
        (asked, askedIds, held, heldPlaces) = ([], [], [:], [])
    }
}

extension StepChunk {
    /// Takes samples that lack nothing but the stream's first label, without a prediction.
    fileprivate mutating func accept(_ places: [Int]) {
        guard !places.isEmpty, rejections.contains(where: { $0.error.code == .noLabelYet }) else { return }
        let places = Set(places)
        rejections.removeAll { $0.error.code == .noLabelYet && places.contains($0.index) }
        for output in outputs.indices { outputs[output].steps.accept(Array(places)) }
    }

    /// Completes the error of a late label.
    fileprivate mutating func sayThatSampleWaits(_ index: Int) {
        guard let place = rejections.firstIndex(where: { $0.index == index }) else { return }
        rejections[place].error.expected += "; the sample waits on"
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
