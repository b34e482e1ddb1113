/** A module that cannot be loaded. */
throw new Error("no model")
