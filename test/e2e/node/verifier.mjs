// Checks tokens with jose as a resource server does. Each line of standard
// input is a token; each line of the answer is ok or the reason why not. The
// key set is kept for a moment only; unknown keys make it ask no sooner than
// usual.
import { createInterface } from "node:readline";

import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL(process.argv[2]), { cacheMaxAge: 300 });
for await (const token of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(token, keys, { algorithms: ["RS256"] });
    console.log("ok");
  } catch (e) {
    console.log(String(e.code ?? e));
  }
}
