# ngx_http_ilert_page.h, the status page as C strings

ngx_ilert_page=$ngx_addon_dir/ngx_http_ilert_module/status/ngx_http_ilert_page

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_ilert_page.h:	$ngx_ilert_page.html $ngx_ilert_page.sh
	sh $ngx_ilert_page.sh $ngx_ilert_page.html > \$@.new
	mv \$@.new \$@

END
