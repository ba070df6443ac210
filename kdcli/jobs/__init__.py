"""Photos worked off one after another: which, where to, in how many processes. Every engine shares it."""
