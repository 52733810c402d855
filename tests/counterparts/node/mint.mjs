// Tokens as the packages mint them: {secret, issued, expires} on standard input, {name: token} on standard output.
import { readFileSync } from "node:fs";
import { StreamClient } from "@stream-io/node-sdk";
import jwt from "jsonwebtoken";
import { DevToken, JWTServerToken, JWTUserToken, StreamChat } from "stream-chat";

const { secret, issued, expires } = JSON.parse(readFileSync(0, "utf8"));
const chat = new StreamChat("imported", secret);
const video = new StreamClient("imported", secret);
const call_cids = ["livestream:123", "default:1"];

const minted = {
  "stream-chat: plain": chat.createToken("sara"),
  "stream-chat: exp": chat.createToken("sara", expires),
  "stream-chat: exp and iat": chat.createToken("sara", expires, issued),
  "stream-chat: more claims": JWTUserToken(secret, "sara", { role: "host", team: "red" }),
  "stream-chat: server": JWTServerToken(secret),
  "stream-chat: development": DevToken("sara"),
  "node-sdk: user": video.generateUserToken({ user_id: "sara", iat: issued, validity_in_seconds: 600 }),
  "node-sdk: exp": video.generateUserToken({ user_id: "sara", exp: expires }),
  "node-sdk: permanent": video.generatePermanentUserToken({ user_id: "sara", iat: issued }),
  "node-sdk: call": video.generateCallToken({ user_id: "!anon", role: "viewer", call_cids, exp: expires }),
  "node-sdk: old": video.createToken("sara", expires, issued),
  "node-sdk: old call": video.createCallToken({ user_id: "sara", role: "host" }, call_cids, expires, issued),
  "node-sdk: server": video.chat.apiClient.apiConfig.token,
  "jsonwebtoken: plain": jwt.sign({ user_id: "sara" }, secret, { noTimestamp: true }),
  "jsonwebtoken: subject": jwt.sign({ user_id: "sara", sub: "user/sara" }, secret, { expiresIn: expires - issued, issuer: "https://elsewhere" }),
};
process.stdout.write(JSON.stringify(minted));
