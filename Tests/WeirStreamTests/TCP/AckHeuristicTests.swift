import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct AckHeuristicTests {
    @Test func `sixteen single responses in a row opt an upstream in, and any other one opts it out again`() {
        for (isAsked, withEnd) in [(true, false), (false, true), (false, false)] {
            var heuristic = AckHeuristic()
            for _ in 0..<15 { heuristic.noteResponse(isAsked: true, withEnd: true) }
            #expect(!heuristic.expectsSingleResponse)
            heuristic.noteResponse(isAsked: true, withEnd: true)
            #expect(heuristic.expectsSingleResponse)
            heuristic.noteResponse(isAsked: isAsked, withEnd: withEnd)
            #expect(!heuristic.expectsSingleResponse)
            for _ in 0..<15 { heuristic.noteResponse(isAsked: true, withEnd: true) }
            #expect(!heuristic.expectsSingleResponse)
            heuristic.noteResponse(isAsked: true, withEnd: true)
            #expect(heuristic.expectsSingleResponse)
        }
    }

    @Test func `an upstream that changes its habit in mid-life is served as well as before`() async throws {
        let speaksFirst = Box(false)
        let server = try TCPServer { connection in
            if speaksFirst.value {
                try connection.send("hello")
                try connection.send(connection.receive(1).bytes)
            } else {
                let question = connection.receive(4)
                // Two writes: the second must not wait for an acknowledgement that is late.
                if question.text == "many" { try connection.send("first ") }
                try connection.send(question.bytes)
            }
        }
        try await withTCP("\(server.endpoint)") { rig in
            for _ in 0..<20 {
                let client = try rig.connect()
                try client.send("once")
                #expect(client.receive().text == "once")
            }
            let client = try rig.connect()
            try client.send("many")
            #expect(client.receive().text == "first many")
            client.close()
            speaksFirst.set(true)
            for _ in 0..<3 {
                let client = try rig.connect()
                #expect(client.receive(5).text == "hello")
                try client.send("x")
                #expect(client.receive().text == "x")
            }
            try rig.recorder.expect(.closed(.upstreamEOF), times: 24)
        }
    }
}
