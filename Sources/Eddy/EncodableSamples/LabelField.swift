// Which field is the label: by its name, or by a key path.
//
// Swift does not tell which field a key path's property is encoded as. Its description has the property's name (SE-0369);
// a field of that name whose value is what the key path gives is the one. Where there is none, as the property is computed
// or its coding key is called differently, the program stops and says to name the field.

/// The label of `Encodable` values.
enum LabelField<Value: Sendable>: Sendable {
    /// The label of the session, or the field `label`.
    case automatic
    case name(String)
    /// The field's name, and what the key path gives, as it stands in a field line; nil where it is nil.
    case property(String, token: @Sendable (Value) throws -> [UInt8]?)

    init<Label: Encodable & Sendable>(_ keyPath: any KeyPath<Value, Label> & Sendable) {
        let written = "\(keyPath.debugDescription)"
        let root = "\\\(Value.self)."
        precondition(
            written.hasPrefix(root) && !written.contains("<"),
            "label: \(written) is no stored property; name the field instead, as label: \"name\"")
        let name = written.dropFirst(root.count).filter { $0 != "?" && $0 != "!" }
        self = .property(name) { value in
            let line = FieldLine(wanted: "label")
            try line.append(["label": value[keyPath: keyPath]])
            return line.found == Array("null".utf8) ? nil : line.found ?? []
        }
    }

    /// How the decoder of JSON lines is told.
    var column: LabelColumn {
        switch self {
        case .automatic: .automatic
        case .name(let name), .property(let name, _): .name(name)
        }
    }

    /// The field whose value has to be looked at.
    var wanted: String? { if case .property(let name, _) = self { name } else { nil } }

    /// Whether the field is the property's; false where the value does not tell, as it has no label.
    ///
    /// - Parameter found: the field's value as it stands in the line; nil where there is no such field.
    func isSettled(by value: Value, _ found: [UInt8]?) -> Bool {
        guard case .property(let name, let token) = self, let expected = try? token(value) else { return false }
        precondition(
            found == expected,
            "label: the property \(name) of \(Value.self) is not encoded under its own name; name the field instead, as "
                + "label: \"name\"")
        return true
    }
}
