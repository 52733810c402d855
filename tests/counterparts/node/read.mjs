// Reads our tokens: {key, algorithm, tokens} on standard input, a list of what each reader found on standard output.
import { readFileSync } from "node:fs";
import jwt from "jsonwebtoken";
import { decodeBase64, UserFromToken } from "stream-chat";

const { key, algorithm, tokens } = JSON.parse(readFileSync(0, "utf8"));

function attempt(read) {
  try {
    return read();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const found = tokens.map((token) => ({
  user: attempt(() => UserFromToken(token)),
  claims: attempt(() => JSON.parse(decodeBase64(token.split(".")[1]))),
  verified: attempt(() => jwt.verify(token, key, { algorithms: [algorithm] })),
}));
process.stdout.write(JSON.stringify(found));
