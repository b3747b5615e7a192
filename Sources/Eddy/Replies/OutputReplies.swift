// Replies where samples have several labels: in the shape that the labels have.
//
//     predictions   1.5<tab>red 0.93                        a class's name has no tab
//     json          {"line":1,"prediction":{"price":1.5,"kind":"red"},"probability":{"kind":0.93},…}
//                   {"line":1,"prediction":[1.5,"red"],"probability":[null,0.93],…}    where outputs have no names
//
// An output of which nothing is known yet says nothing: an empty field, or null. `loss` is the mean over the outputs that
// had a label, `losses` each one's own.

struct OutputReplies: Sendable {
    /// The outputs' names as JSON writes them, each with its colon; empty where they have none.
    private var keys: [String] = []
    private var names: [String] = []

    mutating func write(
        _ steps: StepChunk, _ index: Int, line: Int, id: String?, step: UInt64, _ style: ReplyStyle,
        into out: inout ReplyText
    ) {
        switch style {
        case .predictions:
            let fields = steps.predictions(at: index).map { prediction in
                switch prediction {
                case nil: ""
                case .value(let value): "\(text(value))"
                case .class(let name, let probability): "\(name) \(text(probability))"
                }
            }
            out.write(fields.joined(separator: "\t") + "\n")
        case .json:
            prepare(steps)
            let predictions = steps.predictions(at: index)
            var reply = "{\"line\":\(line)"
            if let id { reply += ",\"id\":\(JSONText.quoted(id))" }
            reply += ",\"prediction\":" + shaped(predictions.map { $0.map(value) }, withNull: true)
            let probabilities = predictions.map { $0.flatMap(probability) }
            if probabilities.contains(where: { $0 != nil }) {
                reply += ",\"probability\":" + shaped(probabilities, withNull: false)
            }
            if !steps.losses[index].isNaN {
                let losses = steps.outputs.map { $0.steps.losses[index] }
                reply += ",\"loss\":\(text(steps.losses[index]))"
                reply += ",\"losses\":" + shaped(losses.map { $0.isNaN ? nil : text($0) }, withNull: false)
                reply += ",\"step\":\(step)"
            }
            out.write(reply + "}\n")
        case .summary, .acks, .none: break
        }
    }

    private mutating func prepare(_ steps: StepChunk) {
        guard !steps.outputs.elementsEqual(names, by: { $0.name == $1 }) else { return }
        names = steps.outputs.map(\.name)
        keys = names == Schema.outputNames(names.count) ? [] : names.map { JSONText.quoted($0) + ":" }
    }

    /// An array, or an object where outputs have names.
    ///
    /// - Parameter withNull: whether an object says null for what is not known, or leaves it out.
    private func shaped(_ values: [String?], withNull: Bool) -> String {
        if keys.isEmpty { return "[" + values.map { $0 ?? "null" }.joined(separator: ",") + "]" }
        let members = zip(keys, values).compactMap { key, value in
            value.map { key + $0 } ?? (withNull ? key + "null" : nil)
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    private func value(_ prediction: Prediction) -> String {
        switch prediction {
        case .value(let value): text(value)
        case .class(let name, _): JSONText.quoted(name)
        }
    }

    private func probability(_ prediction: Prediction) -> String? {
        if case .class(_, let probability) = prediction { text(probability) } else { nil }
    }

    private func text(_ number: Float) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ShortestFloat.room) { bytes in
            let count = ShortestFloat.write(number, to: bytes.baseAddress!)
            return String(decoding: UnsafeBufferPointer(start: bytes.baseAddress!, count: count), as: UTF8.self)
        }
    }
}
