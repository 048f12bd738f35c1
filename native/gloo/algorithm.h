#pragma once

// LibTorch contains Gloo without its headers. The headers in this folder declare as much of it as c10d's own headers
// name. Nothing here is constructed or derived from: c10d keeps these classes behind pointers.
