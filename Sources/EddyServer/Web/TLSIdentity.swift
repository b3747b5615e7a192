// Encryption, for servers that strangers can reach: a certificate and its key, by swift-nio-ssl.

import NIOCore
import NIOSSL

/// What a server shows to its clients, and proves.
///
///     let identity = try TLSIdentity(certificate: "server.pem", key: "server.key")
public struct TLSIdentity: Sendable {
    private let context: NIOSSLContext

    /// - Parameters:
    ///   - certificate: a PEM file, the server's certificate first, then those that vouch for it.
    ///   - key: a PEM file with its private key, unencrypted.
    /// - Throws: ``ListenError`` with a sentence where a file cannot be read or the two do not fit.
    public init(certificate: String, key: String) throws {
        let chain: [NIOSSLCertificateSource]
        do { chain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) } } catch {
            throw ListenError("the TLS certificate \(certificate) cannot be read: expected PEM (\(error))")
        }
        let privateKey: NIOSSLPrivateKey
        do { privateKey = try NIOSSLPrivateKey(file: key, format: .pem) } catch {
            throw ListenError("the TLS key \(key) cannot be read: expected unencrypted PEM (\(error))")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do { context = try NIOSSLContext(configuration: configuration) } catch {
            throw ListenError("the TLS key \(key) does not fit the certificate \(certificate) (\(error))")
        }
    }

    /// Puts the encryption in front of everything else in a new connection.
    func protect(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context), position: .first)
    }
}
