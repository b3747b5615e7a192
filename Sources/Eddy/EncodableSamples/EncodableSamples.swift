// The operators for `Encodable` values; what they do is in EncodedSequence.swift.
//
// An array of such values is `Encodable` too, and is many samples. So the operators for one value a time are disfavoured
// where both fit.

extension AsyncSequence where Element: Encodable & Sendable {
    /// Learns each value when what it taught is asked for. A value is a sample: its fields are the columns.
    ///
    ///     struct Reading: Encodable {
    ///         struct Air: Encodable { var temperature: Double; var humidity: Double? }
    ///         enum Kind: String, Encodable { case home, office }
    ///         enum Floor: Int, Encodable { case ground, first }
    ///
    ///         var hour: Date
    ///         var kind: Kind
    ///         var floor: Floor
    ///         var air: Air
    ///         var open: Bool
    ///         var lags: [Double]
    ///         var load: Double?
    ///     }
    ///     for try await learned in readings.learned(by: session, label: \.load) { … }
    ///     // columns: hour, kind, floor, air.temperature, air.humidity, open, lags.0, lags.1
    ///
    /// A value means what its line of JSON means, with nested values written flat:
    ///
    /// | field | becomes |
    /// |---|---|
    /// | a number | a number; NaN is missing, an infinity or one beyond ±3.4e38 rejects the value |
    /// | `Bool` | 1 or 0; as a label, the classes `true` and `false` |
    /// | `String`, `URL`, `UUID` | words, as terms `column=text`; a string that is a day (ISO 8601) is a date |
    /// | an enum with raw values | its raw value: a word or a number |
    /// | `Date` | date and time in UTC: a trend, and the hour, weekday and day of the year as angles |
    /// | nil | missing; a label that is nil is predicted and not learned |
    /// | a nested value, a dictionary | its fields, as `outer.inner`; those of a dictionary sorted by name |
    /// | an array | its elements, as `name.0`, `name.1` |
    /// | an enum's case without raw or other value | 1, as `name.case` |
    ///
    /// A column's name is its coding key. The first value that is learned fixes the columns and their order; a field that
    /// comes later is a term. As in JSON lines a field `weight` is the sample's importance, `id` its identifier, and `label`
    /// a label.
    ///
    /// A value that cannot be a sample (its label is NaN, it has no fields, its `encode(to:)` throws) is a rejection in its
    /// chunk; the line of a rejection is the value's number in the sequence.
    ///
    /// - Parameters:
    ///   - label: a stored property whose coding key has its name. For others name the field: `label: "air.temperature"`.
    ///   - source: who sent them, for the list of rejections.
    @_disfavoredOverload
    public func learned<Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Element, Label> & Sendable, from source: String? = nil
    ) -> LearnedSequence<EncodedSequence<Self, Element>> {
        encoded(LabelField(label), for: session) { [$0] }.learned(by: session, from: source)
    }

    /// The same with the label's name, as it is encoded: `"load"`, `"air.temperature"`.
    @_disfavoredOverload
    public func learned(
        by session: LearningSession, label: String, from source: String? = nil
    ) -> LearnedSequence<EncodedSequence<Self, Element>> {
        encoded(.name(label), for: session) { [$0] }.learned(by: session, from: source)
    }

    /// Predicts each value when the answer is asked for. Nothing is learned, and the label is ignored.
    @_disfavoredOverload
    public func predicted(by session: LearningSession) -> PredictedSequence<EncodedSequence<Self, Element>> {
        encoded(.automatic, for: session) { [$0] }.predicted(by: session)
    }
}

extension AsyncSequence {
    /// Learns each array of values, one after another, when what they taught is asked for.
    public func learned<Value: Encodable & Sendable, Label: Encodable & Sendable>(
        by session: LearningSession, label: any KeyPath<Value, Label> & Sendable, from source: String? = nil
    ) -> LearnedSequence<EncodedSequence<Self, Value>> where Element == [Value] {
        encoded(LabelField(label), for: session) { $0 }.learned(by: session, from: source)
    }

    /// The same with the label's name, as it is encoded.
    public func learned<Value: Encodable & Sendable>(
        by session: LearningSession, label: String, from source: String? = nil
    ) -> LearnedSequence<EncodedSequence<Self, Value>> where Element == [Value] {
        encoded(.name(label), for: session) { $0 }.learned(by: session, from: source)
    }

    /// Predicts each array's values when the answer is asked for.
    public func predicted<Value: Encodable & Sendable>(
        by session: LearningSession
    ) -> PredictedSequence<EncodedSequence<Self, Value>> where Element == [Value] {
        encoded(.automatic, for: session) { $0 }.predicted(by: session)
    }

    private func encoded<Value: Encodable & Sendable>(
        _ label: LabelField<Value>, for session: LearningSession,
        values: @escaping @Sendable (Element) -> [Value]
    ) -> EncodedSequence<Self, Value> {
        EncodedSequence(base: self, label: label, session: session, values: values)
    }
}
