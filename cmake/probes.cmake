# What differs between the LibTorch versions that are supported, asked of the headers. Goes into core/features.h.
function(torch_has variable header pattern)
  set(found 0)
  if(EXISTS "${libtorch}/include/${header}")
    file(STRINGS "${libtorch}/include/${header}" lines REGEX "${pattern}" LIMIT_COUNT 1)
    if(lines)
      set(found 1)
    endif()
  endif()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# addmm_out of bf16 factors into a float32 sum.
torch_has(ST_HAVE_ADDMM_DTYPE ATen/ops/addmm.h "addmm_out\\(.*ScalarType out_dtype")
# The random state of flash attention in one tensor of uint64 (2.7 and later).
torch_has(ST_HAVE_FLASH_RNG_STATE ATen/ops/_flash_attention_backward.h "Tensor rng_state, Tensor unused")
