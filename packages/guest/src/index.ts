export type { CallOptions } from "./agent-calls.ts";
export { AgentClient, type AgentClientOptions, type AttachOptions } from "./agent-client.ts";
export {
  GuestError,
  type GuestErrorCode,
  guestErrorCodes,
  type GuestErrorDetails,
  type GuestErrorOptions,
  type GuestOutcome,
  isGuestError,
} from "./errors.ts";
export type {
  ExecOptions,
  ResourceLimit,
  ResourceLimitName,
  ResourceLimits,
} from "./exec-request.ts";
export type { FileOptions, ReadOptions, WriteOptions } from "./file-request.ts";
export type { GuestFileStatus, GuestFileType, GuestName } from "./file-status.ts";
export type { GuestFileEntry, GuestFiles } from "./files.ts";
export type { GuestPort } from "./guest-port.ts";
export type {
  GuestExit,
  GuestExitCode,
  GuestExitSignal,
  GuestProcess,
  TerminalSize,
} from "./guest-process.ts";
export type { GuestFileEvent, GuestWatch } from "./guest-watch.ts";
export type { GuestLogger } from "./logger.ts";
export type { MessageFields, MessageInput, MessageMap, MessageValue } from "./message.ts";
export type { Connect, ConnectOptions } from "./open-session.ts";
export type { GuestInit, GuestNetwork, GuestPing, GuestStats } from "./operations.ts";
export type { GuestProcessInfo, ProcessTarget } from "./process-list.ts";
export type {
  DownloadOptions,
  TransferOptions,
  TransferProgress,
  UploadOptions,
} from "./trees/transfer.ts";
export { type KnownOptions, unknownOptions } from "./unknown-options.ts";
export { VERSION } from "./version.ts";
export {
  tarBlock,
  tarEnd,
  type TarFields,
  tarPadding,
  type TarRecords,
  tarSum,
  writeTarHeader,
} from "./write-tar-header.ts";
