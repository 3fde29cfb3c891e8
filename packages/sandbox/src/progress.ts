/** Is told what takes long, in a few words, before it is done. */
export type OnProgress = (message: string) => void;
