import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("redis-benchmark against redis-server")
    struct RedisTrafficTests {
        @Test(
            "the bytes counted are those that the server itself counted",
            arguments: [["-d", "3"], ["-d", "4096", "-P", "16"]])
        func benchmark(shape: [String]) throws {
            let redis = try Redis()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("redis", port, to: redis.port))
            let before = try redis.networkBytes()
            let run = try ChildProcess.run(
                "redis-benchmark",
                ["-h", "127.0.0.1", "-p", "\(port)", "-t", "set,get", "-n", "20000", "-c", "50", "-q"] + shape)
            #expect(run.succeeded, "\(run)")
            #expect(run.output.contains("GET:"), "\(run)")
            let samples = try weir.scrapeWhenIdle("redis")
            let after = try redis.networkBytes()
            #expect(samples.bytes("redis", "ingress") == after.input - before.input - before.question)
            #expect(samples.bytes("redis", "egress") == after.output - before.output - before.reply)
            #expect(samples.accepted("redis") >= 50)
            #expect(samples.closed("redis") == samples.accepted("redis"))
            #expect(samples.total("weir_dial_failures_total", ["route": "redis"]) == 0)
        }
    }
}
