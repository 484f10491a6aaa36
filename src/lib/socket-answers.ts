/** Whether something listens on a unix socket. Nothing is sent. */
import { connect } from "node:net";

export function socketAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => tell(true));
    socket.once("error", () => tell(false));
  });
}
