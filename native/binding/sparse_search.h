#pragma once

#include <napi.h>

namespace st::binding {

// invertSparse() and sparseTopK() of lib/native/types.ts.
Napi::Value invert_sparse(const Napi::CallbackInfo& info);
Napi::Value search_sparse(const Napi::CallbackInfo& info);

}  // namespace st::binding
