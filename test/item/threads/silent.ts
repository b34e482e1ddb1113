/** A module that ends without serving. */
export const nothing = 0
