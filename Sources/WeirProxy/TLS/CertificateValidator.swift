import WeirConfiguration

#if TLS
import WeirAgent
import WeirTLS
#endif

/// Looks at certificates for the reader of the configuration.
struct CertificateValidator: CertificateValidation {
    var now: Int64 { WallClock.nanoseconds / 1_000_000_000 }

    #if TLS
    var isSupported: Bool { true }

    func check(chain: [UInt8], key: [UInt8]) -> CertificateCheckResult {
        var result = CertificateCheckResult()
        do throws(CertificateProblem) {
            let set = try CertificateSet([CertificateBytes(chain: chain, key: key)])
            result.names = set.names(at: 0)
            result.expiry = set.expiry(at: 0)
            let description = CertificateSet.describe(chain)
            result.chainLength = description.count
            result.isElliptic = description.isElliptic
        } catch {
            result.problem = error.text
            result.isAboutKey = error.isAboutKey
        }
        return result
    }

    func check(bundle: [UInt8]) -> CertificateCheckResult {
        do throws(AgentBundle.Fault) {
            let bundle = try AgentBundle(zip: bundle)
            var result = check(chain: bundle.certificate, key: bundle.key)
            if let problem = result.problem {
                result.problem = "`\(result.isAboutKey ? "key" : "cert").pem`: \(problem)"
            } else if let problem = check(authorities: bundle.authority) {
                result.problem = "`ca.pem`: \(problem)"
            }
            return result
        } catch {
            var result = CertificateCheckResult()
            result.problem = error.text
            return result
        }
    }

    func check(authorities: [UInt8]) -> String? {
        do throws(CertificateProblem) {
            try CertificateSet.check(authorities: authorities)
            return nil
        } catch {
            return error.text
        }
    }
    #else
    var isSupported: Bool { false }

    func check(chain: [UInt8], key: [UInt8]) -> CertificateCheckResult { CertificateCheckResult() }

    func check(bundle: [UInt8]) -> CertificateCheckResult { CertificateCheckResult() }

    func check(authorities: [UInt8]) -> String? { nil }
    #endif
}
