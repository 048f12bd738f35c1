#pragma once

#include <napi.h>

namespace st::binding {

// nearestBits() and nearestBytes() of lib/native/types.ts.
Napi::Value search_bits(const Napi::CallbackInfo& info);
Napi::Value search_bytes(const Napi::CallbackInfo& info);

}  // namespace st::binding
