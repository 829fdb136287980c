// What DNS over TLS and over HTTPS have in common: a connection to a server whose certificate is always checked, against
// its name where one is given and else against its address. Node's own authorities count, and those of the file that
// NODE_EXTRA_CA_CERTS names.
import tls from "node:tls";
import { type UpstreamAddress, upstreamText, withoutScope } from "./address.ts";

/** @param session of an earlier connection to the same server, which spares most of the handshake */
export function connectSecurely(
  { host, port, name }: UpstreamAddress,
  applicationProtocol: string,
  session: Buffer | undefined,
): tls.TLSSocket {
  const socket = tls.connect({
    host,
    port,
    ...(name !== undefined && { servername: name }), // an address is none (RFC 6066 section 3)
    ...(session !== undefined && { session }),
    ALPNProtocols: [applicationProtocol],
    minVersion: "TLSv1.2", // RFC 9325 section 3.1.1
    checkServerIdentity: (subject, certificate) => tls.checkServerIdentity(withoutScope(subject), certificate),
    rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
  });
  socket.setNoDelay(true);
  return socket;
}

/** The error of a connection, or where its certificate was refused one that says so, whose message is all there is to it. */
export function connectionError(error: Error, socket: object, address: UpstreamAddress): Error {
  if (!(socket instanceof tls.TLSSocket) || !socket.authorizationError) return error;
  return new Error(`certificate of ${upstreamText(address)} refused: ${error.message}`, { cause: error });
}
