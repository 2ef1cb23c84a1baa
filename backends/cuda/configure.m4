# SPDX-License-Identifier: MIT
# The CUDA backend is built where nvcc can make its kernels. It is linked to nothing of CUDA: the
# driver and cuBLASLt are opened when the program runs.
AC_ARG_WITH([cuda],
  [AS_HELP_STRING([--with-cuda=DIR], [the CUDA toolkit (default: CUDA_HOME, then that of the nvcc in
    PATH, then /usr/local/cuda); --without-cuda leaves the backend out])],
  [], [with_cuda=check])
AC_ARG_VAR([NVCC], [compiler of CUDA kernels])
AC_ARG_VAR([NVCC_ARCH], [what nvcc writes for; default: sm_80, sm_90 and PTX])
: "${NVCC_ARCH=-gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=[[sm_90,compute_90]]}"

it_cuda=no
it_cuda_why="left out as asked"
AS_IF([test "x$with_cuda" != xno],
  [AS_CASE([$with_cuda], [check|yes], [it_cuda_dir=$CUDA_HOME], [it_cuda_dir=$with_cuda])
   AS_IF([test "x$NVCC" = x],
     [AC_PATH_PROG([NVCC], [nvcc], [],
        [`test "x$it_cuda_dir" = x || echo "$it_cuda_dir/bin:"`$PATH:/usr/local/cuda/bin])])
   AS_IF([test "x$NVCC" = x],
     [it_cuda_why="no nvcc (the CUDA toolkit, or --with-cuda=DIR)"],
     [AS_IF([test "x$it_cuda_dir" = x],
        [it_cuda_dir=`cd "\`dirname "$NVCC"\`/.." && pwd`])
      AC_MSG_CHECKING([whether $NVCC makes kernels])
      echo 'extern "C" __global__ void empty() {}' > conftest.cu
      AS_IF([$NVCC -fatbin $NVCC_ARCH -o conftest.fatbin conftest.cu >&AS_MESSAGE_LOG_FD 2>&1 &&
             test -s conftest.fatbin],
        [it_cuda=yes], [it_cuda_why="$NVCC could not compile a kernel (config.log says why)"])
      rm -f conftest.cu conftest.fatbin
      AC_MSG_RESULT([$it_cuda])
      AS_IF([test "x$it_cuda" = xyes && ! { test -f "$it_cuda_dir/include/cuda.h" &&
               test -f "$it_cuda_dir/include/cublasLt.h"; }],
        [it_cuda=no
         it_cuda_why="no cuda.h and cublasLt.h in $it_cuda_dir/include"])])])
AS_IF([test "x$it_cuda" = xyes],
  [it_cuda_why="`$NVCC --version | sed -n 's/.*release \(@<:@0-9.@:>@*\).*/nvcc \1/p'`"],
  [AS_CASE([$with_cuda], [check|no], [],
     [AC_MSG_ERROR([--with-cuda was asked for: $it_cuda_why])])])
AC_SUBST([CUDA_CPPFLAGS], ["-isystem $it_cuda_dir/include"])

# The kernels are tested on the host too, which needs a C++ compiler.
AC_PROG_CXX
AC_LANG_PUSH([C++])
AC_MSG_CHECKING([for C++17])
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <vector>
  #include <ucontext.h>]], [[std::vector<int> v{1}; return v.size() == 1 ? 0 : 1;]])],
  [it_cxx=yes], [it_cxx=no])
AC_MSG_RESULT([$it_cxx])
AC_LANG_POP([C++])
AM_CONDITIONAL([HAVE_CXX], [test "x$it_cxx$enable_sanitize$enable_coverage" = xyesnono])

IT_ADD_BACKEND([cuda], [$it_cuda], [$it_cuda_why])
