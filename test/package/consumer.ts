// A TypeScript program of somebody who installed the package: type-checked by scripts/check-package.mjs inside an empty project.
import * as kasane from "kasane";

export const names: string[] = Object.keys(kasane);
