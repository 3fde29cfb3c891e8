/** The image that is used when none is named. */
export const DEFAULT_IMAGE = "busybox";

/** The image that is made of Debian's packages when it is first asked for. */
export const DEBIAN = "debian";

/** Names of the images that are always there, and of which nothing is kept. */
export const BUILT_IN_NAMES: readonly string[] = [DEFAULT_IMAGE];
