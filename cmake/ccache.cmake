# A second build of the same files takes seconds where there is a ccache. CCACHE_DISABLE=1 in the environment, or
# -DSENTENCE_TORCH_CCACHE=OFF, turns it off; a launcher that is already named stays.
option(SENTENCE_TORCH_CCACHE "Compile through ccache where it is installed" ON)
if(NOT SENTENCE_TORCH_CCACHE OR CMAKE_CXX_COMPILER_LAUNCHER)
  return()
endif()
find_program(CCACHE_PROGRAM ccache)
if(NOT CCACHE_PROGRAM)
  return()
endif()
# Precompiled headers are generated files, newer than the compilation that reads them looks; what they define is in their
# content, which ccache compares.
set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
  CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${CCACHE_PROGRAM}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
else()
  # Clang refuses a precompiled header whose headers have another time than it noted.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
