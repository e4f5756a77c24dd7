import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct MannersTests {
    @Test func `sixteen single answers in a row make a habit, and anything else ends it until it is formed anew`() {
        for (isAsked, withEnd) in [(true, false), (false, true), (false, false)] {
            var manners = Manners()
            for _ in 0..<15 { manners.answered(isAsked: true, withEnd: true) }
            #expect(!manners.givesSingleAnswers)
            manners.answered(isAsked: true, withEnd: true)
            #expect(manners.givesSingleAnswers)
            manners.answered(isAsked: isAsked, withEnd: withEnd)
            #expect(!manners.givesSingleAnswers)
            for _ in 0..<15 { manners.answered(isAsked: true, withEnd: true) }
            #expect(!manners.givesSingleAnswers)
            manners.answered(isAsked: true, withEnd: true)
            #expect(manners.givesSingleAnswers)
        }
    }

    @Test func `an upstream that changes its manners in mid-life is served as well as before`() async throws {
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
