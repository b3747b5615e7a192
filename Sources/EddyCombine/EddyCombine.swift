// OpenCombine on both sides of a session.
//
//     publisher ─▶ Intake ─▶ .learned(by: session) ─▶ Pump ─▶ subscriber        (LearnedPublisher.swift)
//     publisher ─▶ LearningSubscriber ─▶ session                                (LearningSubscriber.swift)
//     session ─▶ Broadcast ─▶ Pump ─▶ subscriber                                (SessionPublishers.swift)
//
// No learning happens here: a publisher's elements become an asynchronous sequence (Intake), go through the same
// operators as everyone's, and come out as a publisher again (Pump). Demand crosses in the other direction, one element
// at a time, so a slow subscriber holds up the publisher at the beginning.
//
// Swift 6 isolates closures to actors, and OpenCombine calls them wherever it likes. So everything here is delivered on the
// main queue, which is the main actor's, or on the actor that calls an operator or `sink`; `scheduling:` says otherwise.

@_exported public import Eddy
@_exported @preconcurrency public import OpenCombine
@_exported @preconcurrency public import OpenCombineDispatch
